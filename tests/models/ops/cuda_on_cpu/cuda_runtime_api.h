// Runs CUDA kernels on the CPU, thread by thread: what the sources take from CUDA, and a launch.
// A thread that waits for others of its warp lets them run until they are there. Threads run from
// the first on in even blocks, from the last on in odd ones, so that one that reads what another
// has yet to write finds something else there.
#pragma once

#include <ucontext.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
#define FMMP_VECTOR_ATOMICS 1

using cudaStream_t = void*;

struct Dimension {
  unsigned x = 0;
};
static Dimension gridDim, blockDim, blockIdx, threadIdx;

struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

namespace cuda_on_cpu {

struct Thread {
  ucontext_t context;
  std::vector<char> stack = std::vector<char>(64 << 10);
  double slots[2];     // what it gave to its last two shuffles
  unsigned turns = 0;  // how often it has waited for its warp
  bool done = false;
};

static std::vector<Thread> threads;
static ucontext_t scheduler;
static std::function<void()> body;
static bool progress;

inline void fail(const char* message) {
  std::fprintf(stderr, "cuda_on_cpu: %s\n", message);
  std::abort();
}

template <typename T>
void check_aligned(const T* address) {
  if (reinterpret_cast<uintptr_t>(address) % sizeof(T) != 0) {
    fail("an address is not a multiple of what is read or added there");
  }
}

inline void enter() {
  body();
  threads[threadIdx.x].done = true;
}

// Waits until all lanes of the mask have come as often as this one, which it returns.
inline unsigned meet(unsigned mask) {
  const unsigned self = threadIdx.x, lane = self % 32, first = self - lane;
  if (!(mask >> lane & 1)) {
    fail("a lane waits outside its own mask");
  }
  const unsigned turn = threads[self].turns++;
  progress = true;
  for (unsigned i = 0; i < 32; ++i) {
    while (mask >> i & 1 && threads.at(first + i).turns <= turn) {
      if (threads[first + i].done) {
        fail("a lane of the mask never comes");
      }
      swapcontext(&threads[self].context, &scheduler);
    }
  }
  return turn;
}

inline void run_block() {
  for (auto& thread : threads) {
    thread.turns = 0;
    thread.done = false;
    getcontext(&thread.context);
    thread.context.uc_stack.ss_sp = thread.stack.data();
    thread.context.uc_stack.ss_size = thread.stack.size();
    thread.context.uc_link = &scheduler;
    makecontext(&thread.context, enter, 0);
  }
  const unsigned count = static_cast<unsigned>(threads.size());
  for (bool running = true; running;) {
    running = progress = false;
    for (unsigned i = 0; i < count; ++i) {
      threadIdx.x = blockIdx.x % 2 ? count - 1 - i : i;
      auto& thread = threads[threadIdx.x];
      if (!thread.done) {
        swapcontext(&scheduler, &thread.context);
        running = true;
        progress = progress || thread.done;
      }
    }
    if (running && !progress) {
      fail("all threads wait for one another");
    }
  }
}

inline void launch(unsigned blocks, unsigned block_size, std::function<void()> kernel) {
  body = std::move(kernel);
  gridDim.x = blocks;
  blockDim.x = block_size;
  threads.resize(block_size);
  for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x) {
    run_block();
  }
}

}  // namespace cuda_on_cpu

inline void __syncwarp(unsigned mask) { cuda_on_cpu::meet(mask); }

template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int distance) {
  using namespace cuda_on_cpu;
  Thread& self = threads[threadIdx.x];
  self.slots[self.turns % 2] = value;
  const unsigned turn = meet(mask);
  return static_cast<T>(threads[threadIdx.x ^ distance].slots[turn % 2]);
}

template <typename T>
T __ldg(const T* from) {
  cuda_on_cpu::check_aligned(from);
  return *from;
}

template <typename T>
void atomicAdd(T* to, T value) {
  *to += value;
}

inline void atomicAdd(float4* to, float4 value) {
  cuda_on_cpu::check_aligned(to);
  *to = {to->x + value.x, to->y + value.y, to->z + value.z, to->w + value.w};
}
