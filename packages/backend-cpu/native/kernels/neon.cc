// The kernels for AArch64 NEON with dot products.
#include "call.h"
#include "simd_includes.h"

namespace spikellm {
namespace {
#include "simd_neon.h"
#include "kernels.inc.h"
}  // namespace

const KernelEntry* neonKernels() { return entries; }
}  // namespace spikellm
