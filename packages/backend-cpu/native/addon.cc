// The functions that src/addon.ts declares.
#include <atomic>
#include <cstring>

#include "completions.h"
#include "instruction_sets.h"
#include "napi.h"

namespace spikellm {
namespace {

Session& sessionOf(napi_env env, napi_value value) { return **sharedOf<Session>(env, value); }

/// instructionSets(): string[]
napi_value listInstructionSets(napi_env env, napi_callback_info) {
  napi_value names;
  napi_create_array(env, &names);
  uint32_t i = 0;
  for (const auto& set : instructionSets()) napi_set_element(env, names, i++, makeString(env, set.name));
  return names;
}

/// kernels(): string[]
napi_value listKernels(napi_env env, napi_callback_info) {
  napi_value names;
  napi_create_array(env, &names);
  for (uint32_t i = 0; scalarKernels()[i].name != nullptr; i++) {
    napi_set_element(env, names, i, makeString(env, scalarKernels()[i].name));
  }
  return names;
}

/// open(instructionSet, threads, operands, numbers): Session. `run` takes its arguments from the two arrays.
napi_value open(napi_env env, napi_callback_info info) {
  const Arguments<4> given(env, info);
  const std::string name = stringOf(env, given[0]);
  for (const auto& set : instructionSets()) {
    if (set.name != name) continue;
    auto session = std::make_shared<Session>(set.kernels, static_cast<unsigned>(numberOf(env, given[1])));
    session->open(env);
    session->operands = reinterpret_cast<const int32_t*>(Bytes(env, given[2]).data);
    session->numbers = reinterpret_cast<const double*>(Bytes(env, given[3]).data);
    return makeShared(env, session);
  }
  return undefined(env);
}

/// allocate(session, bytes, lasting): number, 0 where there is no memory
napi_value allocate(napi_env env, napi_callback_info info) {
  const Arguments<3> given(env, info);
  Session& session = sessionOf(env, given[0]);
  const auto bytes = static_cast<size_t>(numberOf(env, given[1]));
  auto buffer = boolOf(env, given[2]) ? Buffer::createLasting(session.device.slabs(), bytes)
                                      : Buffer::create(session.device.memory(), bytes);
  return makeNumber(env, buffer == nullptr ? 0 : session.keep(std::move(buffer)));
}

/// release(session, storage)
napi_value release(napi_env env, napi_callback_info info) {
  const Arguments<2> given(env, info);
  sessionOf(env, given[0]).release(intOf(env, given[1]));
  return undefined(env);
}

/// write(session, storage, typedArray): at once where no queued work uses the storage, else in order.
napi_value write(napi_env env, napi_callback_info info) {
  const Arguments<3> given(env, info);
  Session& session = sessionOf(env, given[0]);
  const auto& buffer = session.buffer(intOf(env, given[1]));
  const Bytes bytes(env, given[2]);
  if (buffer.use_count() == 1) {
    std::atomic_thread_fence(std::memory_order_acquire);
    if (bytes.size > 0) std::memcpy(buffer->data(), bytes.data, bytes.size);
  } else {
    std::vector<uint8_t> copy(bytes.data, bytes.data + bytes.size);
    session.device.enqueue([buffer, copy = std::move(copy)] {
      std::memcpy(buffer->data(), copy.data(), copy.size());
    });
  }
  return undefined(env);
}

/// read(session, storage, typedArray): Promise<Fault | undefined>, fills the array in order.
napi_value read(napi_env env, napi_callback_info info) {
  const Arguments<3> given(env, info);
  Session& session = sessionOf(env, given[0]);
  const Bytes bytes(env, given[2]);
  return session.promise(env, given[2], [buffer = session.buffer(intOf(env, given[1])), bytes] {
    if (bytes.size > 0) std::memcpy(bytes.data, buffer->data(), bytes.size);
  });
}

/// synchronize(session): Promise<Fault | undefined>
napi_value synchronize(napi_env env, napi_callback_info info) {
  return sessionOf(env, Arguments<1>(env, info)[0]).promise(env, nullptr, [] {});
}

/// packedBytes(kernel, numbers): number
napi_value packedBytes(napi_env env, napi_callback_info info) {
  const Arguments<2> given(env, info);
  const auto& kernel = scalarKernels()[static_cast<size_t>(numberOf(env, given[0]))];
  return makeNumber(env, static_cast<double>(kernel.packedBytes(numbersOf(env, given[1]).data())));
}

/// run(session, kernel, operandCount, numberCount, flag?): operands and numbers lie in the arrays of `open`.
napi_value run(napi_env env, napi_callback_info info) {
  const Arguments<5> given(env, info);
  Session& session = sessionOf(env, given[0]);
  Run run;
  run.kernel = intOf(env, given[1]);
  const int32_t* operands = session.operands;
  const int32_t operandCount = intOf(env, given[2]);
  run.operands.reserve(static_cast<size_t>(operandCount));
  for (int32_t i = 0; i < operandCount; i++) run.operands.push_back(session.buffer(operands[i]));
  run.numbers.assign(session.numbers, session.numbers + intOf(env, given[3]));
  if (const Flag* aborted = sharedOf<std::atomic<bool>>(env, given[4])) run.aborted = *aborted;
  session.device.enqueue(std::move(run));
  return undefined(env);
}

/// createFlag(): Flag
napi_value createFlag(napi_env env, napi_callback_info) {
  return makeShared(env, std::make_shared<std::atomic<bool>>(false));
}

/// raise(flag)
napi_value raise(napi_env env, napi_callback_info info) {
  **sharedOf<std::atomic<bool>>(env, Arguments<1>(env, info)[0]) = true;
  return undefined(env);
}

/// close(session)
napi_value close(napi_env env, napi_callback_info info) {
  sessionOf(env, Arguments<1>(env, info)[0]).close();
  return undefined(env);
}

napi_value registerFunctions(napi_env env, napi_value exports) {
  const auto define = [&](const char* name, napi_callback function) {
    napi_value value;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value);
    napi_set_named_property(env, exports, name, value);
  };
  define("instructionSets", listInstructionSets);
  define("kernels", listKernels);
  define("open", open);
  define("allocate", allocate);
  define("release", release);
  define("write", write);
  define("read", read);
  define("synchronize", synchronize);
  define("packedBytes", packedBytes);
  define("run", run);
  define("createFlag", createFlag);
  define("raise", raise);
  define("close", close);
  return exports;
}

}  // namespace
}  // namespace spikellm

NAPI_MODULE_INIT() { return spikellm::registerFunctions(env, exports); }
