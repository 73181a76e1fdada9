// The kernels for WebAssembly SIMD.
#include "kernels/call.h"
#include "kernels/simd_includes.h"

namespace spikellm {
namespace {
#include "kernels/simd_wasm.h"
#include "kernels/kernels.inc.h"
}  // namespace

const KernelEntry* wasmKernels() { return entries; }
}  // namespace spikellm
