#include "completions.h"

#include "napi.h"

namespace spikellm {

struct Session::Completion {
  napi_deferred deferred = nullptr;
  napi_ref kept = nullptr;  // what the job writes to must not be collected meanwhile
  Fault fault;
};

void Session::open(napi_env env) {
  auto* self = new std::shared_ptr<Session>(shared_from_this());
  // Called on the event loop, after `close` or when the process ends in the middle of work.
  const auto ended = [](napi_env, void* data, void*) {
    auto* session = static_cast<std::shared_ptr<Session>*>(data);
    (*session)->device.close(true, nullptr);
    (*session)->device.join();
    delete session;
  };
  napi_create_threadsafe_function(env, nullptr, nullptr, makeString(env, "spikellm"), 0, 1, self, ended, this, settle,
                                  &loop_);
  // An idle device does not keep the process alive; `promise` refers to it while somebody waits.
  napi_unref_threadsafe_function(env, loop_);
}

napi_value Session::promise(napi_env env, napi_value kept, std::function<void()> job) {
  auto* completion = new Completion;
  napi_value promise;
  napi_create_promise(env, &completion->deferred, &promise);
  if (kept != nullptr) napi_create_reference(env, kept, 1, &completion->kept);
  if (pending_++ == 0) napi_ref_threadsafe_function(env, loop_);
  device.enqueue([this, completion, job = std::move(job)] {
    job();
    completion->fault = device.takeFault();
    napi_call_threadsafe_function(loop_, completion, napi_tsfn_nonblocking);
  });
  return promise;
}

void Session::settle(napi_env env, napi_value, void* context, void* data) {
  auto* completion = static_cast<Completion*>(data);
  if (env != nullptr) {
    auto* session = static_cast<Session*>(context);
    if (--session->pending_ == 0) napi_unref_threadsafe_function(env, session->loop_);
    napi_value result = undefined(env);
    if (completion->fault.kind != Fault::NONE) {
      const Fault& fault = completion->fault;
      napi_create_object(env, &result);
      const char* kind = fault.kind == Fault::INDEX ? "index" : "memory";
      napi_set_named_property(env, result, "kind", makeString(env, kind));
      napi_set_named_property(env, result, "kernel", makeNumber(env, fault.kernel));
      napi_set_named_property(env, result, "index", makeNumber(env, static_cast<double>(fault.index)));
      napi_set_named_property(env, result, "limit", makeNumber(env, static_cast<double>(fault.limit)));
    }
    if (completion->kept != nullptr) napi_delete_reference(env, completion->kept);
    napi_resolve_deferred(env, completion->deferred, result);
  }
  delete completion;
}

int32_t Session::keep(std::shared_ptr<Buffer> buffer) {
  if (free_.empty()) {
    storages_.push_back(std::move(buffer));
    return static_cast<int32_t>(storages_.size() - 1);
  }
  const int32_t storage = free_.back();
  free_.pop_back();
  storages_[static_cast<size_t>(storage)] = std::move(buffer);
  return storage;
}

void Session::release(int32_t storage) {
  storages_[static_cast<size_t>(storage)] = nullptr;
  free_.push_back(storage);
}

void Session::close() {
  device.close(false, [this] { napi_release_threadsafe_function(loop_, napi_tsfn_release); });
}

}  // namespace spikellm
