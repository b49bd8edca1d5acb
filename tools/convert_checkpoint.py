#!/usr/bin/env python3
"""Convert a checkpoint that a method's authors released to our names, or back."""

import argparse

from fmmp.apis import find_release  # not found? bash install.sh
from fmmp.checkpoints import load_checkpoint_file, save_atomically, state_dict_of
from fmmp.cli import run
from fmmp.errors import CheckpointError


def main() -> None:
    """Convert, and say how many tensors there were."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('source', help='checkpoint to read')
    parser.add_argument('target', help='checkpoint to write')
    parser.add_argument(
        '--to-released', action='store_true', help="from our names to the release's"
    )
    args = parser.parse_args()
    checkpoint = load_checkpoint_file(args.source)
    state = state_dict_of(checkpoint)
    try:
        release = find_release(state)
        if release.is_released(state) == args.to_released:
            names = "the release's" if args.to_released else 'our'
            raise CheckpointError(f'it has {names} names already')
        state_to_save = release.to_released(state) if args.to_released else release.to_ours(state)
    except CheckpointError as error:
        raise CheckpointError(f'{args.source}: {error}') from None
    converted = {'meta': checkpoint.get('meta', {}), 'state_dict': state_to_save}
    save_atomically(converted, args.target)
    count = len(converted['state_dict'])
    print(f'{args.target}: {count} tensors from all {len(state)} of {args.source}')


if __name__ == '__main__':
    run(main)
