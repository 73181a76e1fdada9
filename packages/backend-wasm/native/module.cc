// The functions that src/module.ts declares. TypeScript has checked what they are given.
#include <cstdlib>
#include <cstring>

#include "pool.h"

/// Throws in JavaScript; the frames below it are left as they are.
extern "C" __attribute__((import_module("env"), import_name("outOfMemory"))) [[noreturn]] void outOfMemory();

#define EXPORT(name) extern "C" __attribute__((export_name(#name)))

namespace spikellm {
namespace {

constexpr size_t ALIGNMENT = 64;

/// Zero-filled memory, and as much behind it that a vector load of the last elements stays inside; null if there is none.
void* allocateZeros(size_t bytes) {
  const size_t whole = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT + ALIGNMENT;
  void* memory = whole < bytes ? nullptr : std::aligned_alloc(ALIGNMENT, whole);
  return memory == nullptr ? nullptr : std::memset(memory, 0, whole);
}

struct Fault {
  int32_t isIndex = 0;
  double index = 0, limit = 0;
};

// Where `run` finds its arguments, and leaves what went wrong.
void* operands[MOST_OPERANDS];
double numbers[64];
Fault fault;
Pool pool;

/// Scratch of the running kernel: blocks, of which the largest is kept for the next one.
struct Block {
  Block* before;
  size_t bytes, used;
  uint8_t* data() { return reinterpret_cast<uint8_t*>(this) + ALIGNMENT; }
};
Block* blocks = nullptr;
size_t wanted = 0;

Block* newBlock(size_t bytes, Block* before) {
  auto* block = static_cast<Block*>(allocateZeros(ALIGNMENT + bytes));
  if (block == nullptr) return nullptr;
  *block = {before, bytes, 0};
  return block;
}
void freeBlocks() {
  while (blocks != nullptr) {
    Block* before = blocks->before;
    std::free(blocks);
    blocks = before;
  }
}
/// Keeps one block, large enough for what the kernel used.
void freeScratch() {
  if (blocks != nullptr && blocks->before != nullptr) {
    freeBlocks();
    blocks = newBlock(wanted, nullptr);
  }
  if (blocks != nullptr) blocks->used = 0;
  wanted = 0;
}

}  // namespace

// What kernels ask for, see kernels/call.h.
unsigned threadCount(const Call&) { return pool.size(); }
void forEach(const Call&, size_t count, Body body, const void* context) { pool.run(count, body, context); }
void* scratch(const Call&, size_t bytes) {
  bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  wanted += bytes;
  if (blocks == nullptr || blocks->used + bytes > blocks->bytes) {
    Block* block = newBlock(bytes, blocks);
    if (block == nullptr) outOfMemory();
    blocks = block;
  }
  void* memory = blocks->data() + blocks->used;
  blocks->used += bytes;
  return memory;
}
void reportIndex(const Call&, int64_t index, int64_t limit) {
  if (!fault.isIndex) fault = {1, static_cast<double>(index), static_cast<double>(limit)};
}

EXPORT(allocate) void* allocate(size_t bytes) { return allocateZeros(bytes); }
/// Grows the memory at once to hold so many bytes more; whether it could.
EXPORT(reserve) int reserve(size_t bytes) {
  // Volatile, or the compiler sees that nobody uses it and asks for nothing.
  void* volatile memory = std::malloc(bytes);
  std::free(memory);
  return memory != nullptr;
}
EXPORT(release) void release(void* memory) { std::free(memory); }
EXPORT(operands) void** operandsAt() { return operands; }
EXPORT(numbers) double* numbersAt() { return numbers; }
EXPORT(fault) Fault* faultAt() { return &fault; }
/// The name of a kernel; null after the last one.
EXPORT(kernelName) const char* kernelName(int kernel) { return wasmKernels()[kernel].name; }
EXPORT(packedBytes) double packedBytes(int kernel) {
  return static_cast<double>(wasmKernels()[kernel].packedBytes(numbers));
}
EXPORT(run) void run(int kernel) {
  wasmKernels()[kernel].run(Call{operands, numbers, nullptr, kernel});
  freeScratch();
}
/// After a run that JavaScript threw out of.
EXPORT(abandon) void abandon() {
  wanted = 0;
  freeBlocks();
}
EXPORT(open) void openPool(unsigned threads) { pool.open(threads); }
EXPORT(help) void help(unsigned thread) { pool.help(thread); }
EXPORT(close) void closePool() { pool.close(); }

}  // namespace spikellm
