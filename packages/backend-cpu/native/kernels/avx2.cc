// The kernels for AVX2 with FMA.
#include "kernels/call.h"
#include "kernels/simd_includes.h"

namespace spikellm {
namespace {
#include "kernels/simd_avx2.h"
#include "kernels/kernels.inc.h"
}  // namespace

const KernelEntry* avx2Kernels() { return entries; }
}  // namespace spikellm
