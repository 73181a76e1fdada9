#include "instruction_sets.h"

namespace spikellm {

std::vector<InstructionSet> instructionSets() {
  std::vector<InstructionSet> sets;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512vnni");
  if (avx512) sets.push_back({"avx512", avx512Kernels()});
  if (avx2) sets.push_back({"avx2", avx2Kernels()});
#endif
  sets.push_back({"scalar", scalarKernels()});
  return sets;
}

}  // namespace spikellm
