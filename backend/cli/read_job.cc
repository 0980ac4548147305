#include <map>
#include <utility>

#include "backend/cli/host_names.h"
#include "backend/cli/job.h"
#include "common/sign/chain.h"
#include "common/sign/envelope.h"
#include "common/sign/strict.h"

namespace holdfast::cli {

Result<Job> ReadJob(const sign::Crypto& crypto, const ::holdfast::api::v1::CommandDetail& detail) {
  HF_ASSIGN_OR_RETURN(const auto envelope,
                      sign::ParseEnvelope(detail.envelope(), sign::kCommandType));
  Job job;
  job.digest = sign::EnvelopeDigest(crypto, sign::kCommandType, envelope.payload());
  if (job.digest.view() != detail.summary().digest()) {
    return Error{Code::kCorrupt, "the backend shows another command under this job's id"};
  }
  HF_ASSIGN_OR_RETURN(job.command, sign::ParseCommand(envelope.payload()));
  job.envelope = detail.envelope();
  job.cert_envelope = detail.cert_envelope();
  job.verb = sign::VerbName(job.command);
  job.not_after = WallTime(job.command.not_after_ms());
  std::map<std::string, std::string> hostnames;
  for (const auto& delivery : detail.deliveries()) {
    hostnames[delivery.agent_id()] = delivery.hostname();
  }
  for (const auto& bytes : job.command.target().agent_ids()) {
    const auto id = AgentId::From(bytes);
    if (id) job.targets.push_back({*id, hostnames[bytes], true});
  }
  job.several = job.targets.size() > 1;
  job.hosts = ShownHosts(job.targets);
  return job;
}

}  // namespace holdfast::cli
