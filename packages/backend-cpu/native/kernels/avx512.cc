// The kernels for AVX-512 with VNNI.
#include "call.h"
#include "simd_includes.h"

namespace spikellm {
namespace {
#include "simd_avx512.h"
#include "kernels.inc.h"
}  // namespace

const KernelEntry* avx512Kernels() { return entries; }
}  // namespace spikellm
