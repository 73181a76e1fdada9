// The kernels for AVX2 with FMA.
#include "call.h"
#include "simd_includes.h"

namespace spikellm {
namespace {
#include "simd_avx2.h"
#include "kernels.inc.h"
}  // namespace

const KernelEntry* avx2Kernels() { return entries; }
}  // namespace spikellm
