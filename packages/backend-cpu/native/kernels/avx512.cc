// The kernels for AVX-512 with VNNI.
#include "kernels/call.h"
#include "kernels/simd_includes.h"

namespace spikellm {
namespace {
#include "kernels/simd_avx512.h"
#include "kernels/kernels.inc.h"
}  // namespace

const KernelEntry* avx512Kernels() { return entries; }
}  // namespace spikellm
