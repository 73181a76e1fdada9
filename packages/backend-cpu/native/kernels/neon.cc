// The kernels for AArch64 NEON with dot products.
#include "kernels/call.h"
#include "kernels/simd_includes.h"

namespace spikellm {
namespace {
#include "kernels/simd_neon.h"
#include "kernels/kernels.inc.h"
}  // namespace

const KernelEntry* neonKernels() { return entries; }
}  // namespace spikellm
