#include "backend/core/control_tokens.h"

#include <algorithm>
#include <utility>

#include "backend/core/control_agents.h"

namespace holdfast::backend {

Result<Tokens::Created> Tokens::Create(Wanted wanted, Moment now) {
  if (wanted.uses == 0 || wanted.uses > options_.max_uses) {
    return Error{Code::kInvalid, "uses must be 1 to " + std::to_string(options_.max_uses)};
  }
  if (wanted.ttl_ms == 0 || wanted.ttl_ms > options_.max_ttl_ms) {
    return Error{Code::kInvalid,
                 "ttl must be 1 ms to " + std::to_string(options_.max_ttl_ms / 3'600'000) + " h"};
  }
  if (wanted.labels.size() > options_.max_labels) {
    return Error{Code::kInvalid, "at most " + std::to_string(options_.max_labels) + " labels"};
  }
  std::sort(wanted.labels.begin(), wanted.labels.end());
  for (std::size_t i = 0; i < wanted.labels.size(); ++i) {
    HF_TRY(CheckLabel(wanted.labels[i].first, wanted.labels[i].second));
    if (i > 0 && wanted.labels[i].first == wanted.labels[i - 1].first) {
      return Error{Code::kInvalid, "label " + wanted.labels[i].first + " is given twice"};
    }
  }
  Created created;
  created.token = ToBase64Url(crypto_.RandomBytes<Nonce32>().view());
  created.expires_ms = now.wall_ms() + wanted.ttl_ms;
  TokenRow row;
  row.hash = crypto_.Sha256(created.token);
  row.uses_left = wanted.uses;
  row.expires_ms = created.expires_ms;
  row.labels = std::move(wanted.labels);
  row.operator_id = std::move(wanted.operator_id);
  HF_TRY(store_.PutToken(row));
  return created;
}

Result<TokenRow> Tokens::Find(std::string_view token, Moment now) {
  HF_ASSIGN_OR_RETURN(std::optional<TokenRow> row, store_.FindToken(crypto_.Sha256(token)));
  if (!row || row->uses_left == 0 || row->expires_ms <= now.wall_ms()) {
    return Error{Code::kDenied, "the enrolment token is unknown, used up or expired"};
  }
  return *std::move(row);
}

Status Tokens::Check(std::string_view token, Moment now) {
  HF_TRY(Find(token, now));
  return Ok();
}

Result<Labels> Tokens::Spend(std::string_view token, Moment now) {
  HF_ASSIGN_OR_RETURN(TokenRow row, Find(token, now));
  --row.uses_left;
  HF_TRY(store_.PutToken(row));
  return std::move(row.labels);
}

}  // namespace holdfast::backend
