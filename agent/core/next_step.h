// NextStep: what a person has to do about a refusal that no waiting mends. Empty: nothing.
#pragma once

#include <string_view>

#include "common/link/codec.h"

namespace holdfast::agent {

inline std::string_view NextStep(link::CloseReason reason) {
  switch (reason) {
    case link::CloseReason::CLOSE_REASON_BAD_TOKEN:
      return "make a new one with: holdfast enrol token";
    case link::CloseReason::CLOSE_REASON_REVOKED:
    case link::CloseReason::CLOSE_REASON_NOT_ENROLLED:
      return "this identity is not accepted any more: enrol anew, with a new token and --state";
    default: return {};
  }
}

}  // namespace holdfast::agent
