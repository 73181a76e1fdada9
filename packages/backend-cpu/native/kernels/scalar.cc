// The kernels in plain C++.
#include "call.h"
#include "simd_includes.h"

namespace spikellm {
namespace {
#include "simd_scalar.h"
#include "kernels.inc.h"
}  // namespace

const KernelEntry* scalarKernels() { return entries; }
}  // namespace spikellm
