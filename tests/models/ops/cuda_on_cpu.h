// Runs CUDA kernels on the CPU, thread by thread: what kernels.cuh takes from CUDA, and a launch.
// A thread that waits for others of its warp (in a shuffle) lets them run until they are there.
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

struct Index {
  unsigned x = 0;
};
static Index gridDim, blockDim, blockIdx, threadIdx;

namespace cuda_on_cpu {

struct Thread {
  ucontext_t context;
  std::vector<char> stack = std::vector<char>(256 << 10);
  double slots[2];       // what it gave to its last two shuffles
  unsigned shuffles = 0;
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

inline void enter() {
  body();
  threads[threadIdx.x].done = true;
}

inline void wait() {
  const unsigned self = threadIdx.x;
  swapcontext(&threads[self].context, &scheduler);
}

inline void run_block() {
  for (auto& thread : threads) {
    thread.shuffles = 0;
    thread.done = false;
    getcontext(&thread.context);
    thread.context.uc_stack.ss_sp = thread.stack.data();
    thread.context.uc_stack.ss_size = thread.stack.size();
    thread.context.uc_link = &scheduler;
    makecontext(&thread.context, enter, 0);
  }
  for (bool running = true; running;) {
    running = progress = false;
    for (unsigned i = 0; i < threads.size(); ++i) {
      if (!threads[i].done) {
        threadIdx.x = i;
        swapcontext(&scheduler, &threads[i].context);
        running = true;
        progress = progress || threads[i].done;
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
  threads = std::vector<Thread>(block_size);
  for (unsigned block = 0; block < blocks; ++block) {
    blockIdx.x = block;
    run_block();
  }
}

}  // namespace cuda_on_cpu

template <typename T>
T __shfl_down_sync(unsigned mask, T value, int offset, int width) {
  using namespace cuda_on_cpu;
  Thread& self = threads[threadIdx.x];
  const unsigned lane = threadIdx.x % 32, first = threadIdx.x - lane;
  if (!(mask >> lane & 1)) {
    fail("a lane shuffles outside its own mask");
  }
  const unsigned turn = self.shuffles++;
  self.slots[turn % 2] = value;
  progress = true;
  for (unsigned i = 0; i < 32; ++i) {
    while (mask >> i & 1 && threads.at(first + i).shuffles <= turn) {
      if (threads[first + i].done) {
        fail("a lane of the mask never comes to the shuffle");
      }
      wait();
    }
  }
  const unsigned from = lane % width + offset < unsigned(width) ? lane + offset : lane;
  return static_cast<T>(threads[first + from].slots[turn % 2]);
}

template <typename T>
void atomicAdd(T* to, T value) {
  *to += value;
}
