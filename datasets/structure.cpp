// The search of structure.py, compiled: fills the structural references of all keypoints.
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cstdint>
#include <new>
#include <vector>

namespace {

using Neighbours = std::vector<std::vector<int64_t>>;

// Breadth-first from `start`: the first `count` keypoints that are found and their hops; places left
// over hold `start`. `found_from` says from which start a keypoint was found last.
void search_from(
    int64_t start, const Neighbours& neighbours, std::vector<int64_t>& found_from, int64_t count,
    int64_t* index, int64_t* hops) {
  index[0] = start;
  hops[0] = 0;
  found_from[start] = start;
  int64_t found = 1;
  for (int64_t next = 0; next < found && found < count; ++next) {
    for (const int64_t neighbour : neighbours[index[next]]) {
      if (found == count) break;
      if (found_from[neighbour] == start) continue;
      found_from[neighbour] = start;
      index[found] = neighbour;
      hops[found++] = hops[next] + 1;
    }
  }
  for (; found < count; ++found) {
    index[found] = start;
    hops[found] = 0;
  }
}

// visible (K,) bool, links (E, 2) int64, index and hops (K, count) int64, all contiguous: the sizes
// are checked here, the types are the caller's to get right.
bool search(
    const Py_buffer& visible, const Py_buffer& links, const Py_buffer& index,
    const Py_buffer& hops) {
  const int64_t keypoints = visible.len;
  const auto* is_visible = static_cast<const char*>(visible.buf);
  const auto* link = static_cast<const int64_t*>(links.buf);
  const auto* end = link + links.len / (2 * sizeof(int64_t)) * 2;
  Neighbours neighbours(keypoints);
  for (; link != end; link += 2) {
    const int64_t i = link[0], j = link[1];
    if (i < 0 || i >= keypoints || j < 0 || j >= keypoints) {
      PyErr_Format(
          PyExc_ValueError, "link (%lld, %lld) names none of the %lld keypoints",
          static_cast<long long>(i), static_cast<long long>(j),
          static_cast<long long>(keypoints));
      return false;
    }
    if (is_visible[i]) neighbours[i].push_back(j);
    if (is_visible[j]) neighbours[j].push_back(i);
  }
  if (keypoints == 0) return true;
  const int64_t row = index.len / keypoints;  // bytes
  if (index.len != hops.len || row < static_cast<int64_t>(sizeof(int64_t)) ||
      row % sizeof(int64_t) || row * keypoints != index.len) {
    PyErr_SetString(PyExc_ValueError, "index and hops must be (K, count) int64");
    return false;
  }
  const int64_t count = row / sizeof(int64_t);
  std::vector<int64_t> found_from(keypoints, -1);
  for (int64_t start = 0; start < keypoints; ++start) {
    search_from(
        start, neighbours, found_from, count,
        static_cast<int64_t*>(index.buf) + start * count,
        static_cast<int64_t*>(hops.buf) + start * count);
  }
  return true;
}

PyObject* call_search(PyObject*, PyObject* arguments) {
  Py_buffer visible, links, index, hops;
  if (!PyArg_ParseTuple(arguments, "y*y*w*w*", &visible, &links, &index, &hops)) return nullptr;
  bool found = false;
  try {
    found = search(visible, links, index, hops);
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  }
  for (Py_buffer* buffer : {&visible, &links, &index, &hops}) PyBuffer_Release(buffer);
  if (!found) return nullptr;
  Py_RETURN_NONE;
}

PyMethodDef methods[] = {
    {"search", call_search, METH_VARARGS,
     "search(visible, links, index, hops): as search_in_python of structure.py."},
    {nullptr, nullptr, 0, nullptr}};
PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_structure", nullptr, -1, methods, nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__structure() { return PyModule_Create(&definition); }
