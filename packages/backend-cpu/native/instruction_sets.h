#pragma once
#include <string>
#include <vector>

#include "kernels/call.h"

namespace spikellm {

struct InstructionSet {
  std::string name;
  const KernelEntry* kernels;
};

/// The instruction sets that this machine runs, the best first.
std::vector<InstructionSet> instructionSets();

}  // namespace spikellm
