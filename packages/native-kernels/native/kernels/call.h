// What a kernel gets, and what it may ask of the device that runs it.
//
// Kernels are compiled once for each instruction set, so this header holds plain declarations only: an inline function
// or a template with external linkage would be merged by the linker, and the scalar build would run AVX-512 code.
#pragma once
#include <cstddef>
#include <cstdint>

namespace spikellm {

/// One item of parallel work on one of the threads.
using Body = void (*)(const void* context, size_t item, unsigned thread);

class Device;

/// Operands of a kernel at most.
constexpr size_t MOST_OPERANDS = 32;

/// One run. Operands and numbers come in the order of src/kernels.ts; TypeScript has checked them.
struct Call {
  void* const* operands;  // null where an optional operand is absent
  const double* numbers;
  Device* device;
  int kernel;
};

/// Threads that `forEach` uses.
unsigned threadCount(const Call& call);
/// Runs `body` for the items 0..count-1 on all threads and waits. When the run is aborted meanwhile, the rest is left out:
/// memory that the items should have written then holds anything, and must not serve as an index.
void forEach(const Call& call, size_t count, Body body, const void* context);
/// 64-byte aligned memory that lives until the call ends. Not to be called inside `forEach`.
void* scratch(const Call& call, size_t bytes);
/// Reports an index outside 0..limit-1; the first report shows at the next read.
void reportIndex(const Call& call, int64_t index, int64_t limit);

struct KernelEntry {
  const char* name;
  void (*run)(const Call& call);
  /// Bytes of what a packing kernel writes, from its numbers; null for the kernels of the table.
  size_t (*packedBytes)(const double* numbers);
};

/// The kernels of one instruction set, the same in the same order for each; the last entry has no name.
const KernelEntry* scalarKernels();
const KernelEntry* avx2Kernels();
const KernelEntry* avx512Kernels();
const KernelEntry* neonKernels();
const KernelEntry* wasmKernels();

}  // namespace spikellm
