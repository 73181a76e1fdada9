// The kernels in plain C++.
#include "kernels/call.h"
#include "kernels/simd_includes.h"

namespace spikellm {
namespace {
#include "kernels/simd_scalar.h"
#include "kernels/kernels.inc.h"
}  // namespace

const KernelEntry* scalarKernels() { return entries; }
}  // namespace spikellm
