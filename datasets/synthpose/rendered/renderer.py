"""Pictures of textured triangles, off screen: OpenGL over EGL, which Mesa gives without a GPU."""

from __future__ import annotations

import os
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from fmmp.errors import InputError

from .model import Part

if TYPE_CHECKING:
    import moderngl

OBJECT, CLUTTER, SURROUNDINGS = 1, 2, 3  # labels of pixels; 0 where nothing is
MAX_TEXTURE = 1024  # a texture's longer side
MAX_TEXTURES = 300  # kept on the device
SHADOW_SIZE = 512

VERTEX = """
#version 330
uniform mat4 camera, sun;
in vec3 position, normal;
in vec2 uv;
out vec3 world, direction, lit;
out vec2 texel;
void main() {
    world = position;
    direction = normal;
    texel = uv;
    lit = (sun * vec4(position, 1)).xyz * 0.5 + 0.5;
    gl_Position = camera * vec4(position, 1);
}
"""

# Diffuse light of a sun with shadows, a second lamp and the surroundings, which are lighter above
# than below, and a highlight; in linear colours. Where `catcher`, only the shadow is painted.
SHADING = """
#version 330
uniform sampler2D picture;
uniform sampler2DShadow shadows;
uniform vec3 eye, sun_direction, sun_colour, lamp_direction, lamp_colour, sky, ground, tint;
uniform float shine, softness;
uniform bool catcher;
in vec3 world, direction, lit;
in vec2 texel;
out vec4 colour;
float sunlit() {
    float sum = 0.0;
    for (float x = -0.5; x <= 0.5; x++)
        for (float y = -0.5; y <= 0.5; y++)
            sum += texture(shadows, lit + vec3(vec2(x, y) * softness, -0.004));
    return any(greaterThan(abs(lit - 0.5), vec3(0.5))) ? 1.0 : sum / 4.0;
}
void main() {
    vec4 base = texture(picture, texel);
    if (base.a < 0.4) discard;
    vec3 view = normalize(eye - world), n = normalize(direction);
    if (dot(n, view) < 0.0) n = -n;
    float sun = sunlit();
    if (catcher) {
        float strength = (1.0 - sun) * 0.6 * max(sun_direction.y, 0.0);
        colour = vec4(0, 0, 0, strength);
        return;
    }
    vec3 light = mix(ground, sky, 0.5 + 0.5 * n.y)
        + sun * sun_colour * max(dot(n, sun_direction), 0.0)
        + lamp_colour * max(dot(n, lamp_direction), 0.0);
    vec3 glint = sun * sun_colour * pow(max(dot(n, normalize(view + sun_direction)), 0.0), 30.0);
    colour = vec4(pow(pow(base.rgb, vec3(2.2)) * tint * light + shine * glint, vec3(1 / 2.2)), 1);
}
"""

LABELLING = """
#version 330
uniform sampler2D picture;
uniform float label;
in vec2 texel;
out float colour;
void main() {
    if (texture(picture, texel).a < 0.4) discard;
    colour = label / 255.0;
}
"""


@dataclass
class Light:
    """The light of a scene; colours (3,), linear, directions (3,) of length 1, towards the lamps.

    Attributes:
        sun_direction, sun_colour: of the light that casts shadows.
        lamp_direction, lamp_colour: of a second one that casts none.
        sky, ground: colours of what comes from above and from below.
        shine: strength of the sun's highlight on the object.
        softness: the shadows' blur, as a part of the lit region.
    """

    sun_direction: np.ndarray
    sun_colour: np.ndarray
    lamp_direction: np.ndarray
    lamp_colour: np.ndarray
    sky: np.ndarray
    ground: np.ndarray
    shine: float
    softness: float


@dataclass
class Item:
    """A part in a scene: its label and tint (3,); `catcher`: nothing of it but shadows is seen."""

    part: Part
    label: int
    tint: np.ndarray
    catcher: bool = False


@dataclass
class Drawing:
    """What the renderer gives.

    Attributes:
        colours: (S, S, 4), uint8, RGBA, the colours multiplied by alpha.
        labels: (S, S), uint8, what is in front: `OBJECT`, `CLUTTER`, `SURROUNDINGS` or 0.
        depth: (S, S), float32, from 0 at the near plane to 1 at the far plane.
    """

    colours: np.ndarray
    labels: np.ndarray
    depth: np.ndarray


class Renderer:
    """Draws scenes of one size.

    Args:
        size: S, width and height of the pictures in pixels.

    Raises:
        InputError: moderngl is missing, or the machine has no EGL.
    """

    def __init__(self, size: int) -> None:
        os.environ.setdefault('LP_NUM_THREADS', '1')  # Mesa's; processes share the machine
        # torch.compile's triton and Mesa bring an LLVM each, which clash if Mesa's comes first.
        with suppress(ImportError):
            import triton  # noqa: F401
        try:
            import moderngl
        except ImportError as error:
            raise InputError('rendering needs moderngl: bash install.sh brings it') from error
        try:
            self._gl = gl = moderngl.create_standalone_context(backend='egl', require=330)
        except Exception as error:  # the loader's errors are of no common type
            raise InputError(
                f'rendering needs OpenGL 3.3 over EGL ({error}); without a GPU, Mesa has it: '
                'apt-get install libegl1 libgl1-mesa-dri'
            ) from error
        self.size = size
        self._filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
        self._shade = gl.program(VERTEX, SHADING)
        self._mark = gl.program(VERTEX, LABELLING)
        wide = (size, size)
        self._samples = gl.framebuffer(
            gl.renderbuffer(wide, 4, samples=4), gl.depth_renderbuffer(wide, samples=4)
        )
        self._colours = gl.framebuffer(gl.renderbuffer(wide, 4))
        self._depth = gl.depth_texture(wide)
        self._labels = gl.framebuffer(gl.renderbuffer(wide, 1), self._depth)
        self._shadow = gl.depth_texture((SHADOW_SIZE, SHADOW_SIZE))
        self._shadow.compare_func = '<='
        self._shadow.repeat_x = self._shadow.repeat_y = False
        self._shadow_map = gl.framebuffer(
            gl.renderbuffer((SHADOW_SIZE, SHADOW_SIZE), 1), self._shadow
        )
        self._textures: OrderedDict[int, tuple] = OrderedDict()
        gl.enable(moderngl.DEPTH_TEST)

    def draw(
        self, items: list[Item], camera: np.ndarray, eye: np.ndarray, sun: np.ndarray, light: Light
    ) -> Drawing:
        """Draws a scene.

        Args:
            items: its parts.
            camera: (4, 4), from the world to the picture's clip space.
            eye: (3,), the camera's place.
            sun: (4, 4), from the world to the clip space of the sun's view, which bounds shadows.
            light: the light.
        """
        wide = (self.size, self.size)
        with self._gl:  # another renderer's context may be the current one
            uploads = [self._upload(item.part) for item in items]
            self._pass(self._shadow_map, self._mark, items, uploads, sun, casting=True)
            self._pass(self._labels, self._mark, items, uploads, camera)
            self._shadow.use(1)
            self._set(self._shade, sun=sun, eye=eye, **vars(light), picture=0, shadows=1)
            self._pass(self._samples, self._shade, items, uploads, camera)
            for vertices, faces, _ in uploads:
                vertices.release()
                faces.release()
            self._gl.copy_framebuffer(self._colours, self._samples)
            return Drawing(
                self._read(self._colours.read(components=4), np.uint8, (*wide, 4)),
                self._read(self._labels.read(components=1, alignment=1), np.uint8, wide),
                self._read(self._depth.read(), np.float32, wide),
            )

    def close(self) -> None:
        """Gives back the device's memory; the renderer is of no use then."""
        self._gl.release()

    def _pass(
        self,
        target: moderngl.Framebuffer,
        program: moderngl.Program,
        items: list[Item],
        uploads: list[tuple],
        matrix: np.ndarray,
        casting: bool = False,
    ) -> None:
        """Draws all parts into a frame; of casters of shadows, all but catchers."""
        target.use()
        target.clear(depth=1.0)
        self._set(program, camera=matrix)
        for item, (vertices, faces, texture) in zip(items, uploads, strict=True):
            if casting and item.label == SURROUNDINGS:
                continue
            self._set(program, label=item.label, tint=item.tint, catcher=item.catcher)
            if item.label != OBJECT:
                self._set(program, shine=0.0)
            if program is self._mark and item.catcher:
                continue
            texture.use(0)
            names = [n for n in ('position', 'normal', 'uv') if n in program]
            layout = ' '.join(
                {'position': '3f', 'normal': '3f', 'uv': '2f'}[n] if n in names else pad
                for n, pad in (('position', '12x'), ('normal', '12x'), ('uv', '8x'))
            )
            array = self._gl.vertex_array(program, [(vertices, layout, *names)], faces)
            array.render()
            array.release()

    def _upload(self, part: Part) -> tuple:
        """Vertices and faces on the device, and the texture, which stays there."""
        data = np.concatenate([part.vertices, part.normals, part.uv], 1)
        vertices = self._gl.buffer(np.ascontiguousarray(data, np.float32))
        faces = self._gl.buffer(np.ascontiguousarray(part.faces, np.int32))
        return vertices, faces, self._texture(part.texture)

    def _texture(self, image: np.ndarray) -> moderngl.Texture:
        """The image's texture with mipmaps, of those used last."""
        key = id(image)
        if key in self._textures:
            self._textures.move_to_end(key)
            return self._textures[key][0]
        small, (height, width) = image, image.shape[:2]
        if max(height, width) > MAX_TEXTURE:
            scale = MAX_TEXTURE / max(height, width)
            target = max(1, round(width * scale)), max(1, round(height * scale))
            small = cv2.resize(image, target, interpolation=cv2.INTER_AREA)
        texture = self._gl.texture(small.shape[1::-1], 4, np.ascontiguousarray(small))
        texture.build_mipmaps()
        texture.filter = self._filter
        self._textures[key] = texture, image  # the image lives on, so that its id stays its own
        if len(self._textures) > MAX_TEXTURES:
            self._textures.popitem(last=False)[1][0].release()
        return texture

    @staticmethod
    def _set(program: moderngl.Program, **uniforms: Any) -> None:
        """Sets those uniforms that the program has."""
        for name, value in uniforms.items():
            if name in program:
                if np.ndim(value) == 2:
                    program[name].write(np.ascontiguousarray(value.T, np.float32))
                else:
                    program[name].value = tuple(value) if np.ndim(value) else value

    @staticmethod
    def _read(data: bytes, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
        """The rows of a frame, the topmost first."""
        return np.frombuffer(data, dtype).reshape(shape)[::-1].copy()
