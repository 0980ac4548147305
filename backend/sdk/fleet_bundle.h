// FleetBundle: what a new endpoint is told of its fleet: the analyst's word, never a backend's.
//
// A bundle's policy names the roots that an endpoint obeys from then on; whoever chooses it commands
// the endpoint. So fleet, servers, CA and policy come from the fleet's directory. Control adds the
// token, which only it can make; what else it says must be the same.
//
//   FleetBundle(directory) --> ours      ours, control's answer --> WithToken --> the bundle
//
// Limits:    those of trust.proto, Bundle.
// Threading: FleetBundle() reads the file system; WithToken() is a pure function.
// Errors:    FleetBundle(): kNotFound: the directory has no policy. kDenied, kExpired: it does not
//            verify, or is another fleet's. WithToken(): kDenied: control's copy differs, and in what.
#pragma once

#include "backend/sdk/fleet.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/sign/crypto.h"
#include "holdfast/command/v1/trust.pb.h"

namespace holdfast::sdk {

// Without a token.
Result<::holdfast::command::v1::Bundle> FleetBundle(const sign::Crypto& crypto, const Fleet& fleet,
                                                    WallTime now);

// `told`: api.proto, TokenCreated.
Result<::holdfast::command::v1::Bundle> WithToken(const Fleet& fleet,
                                                  ::holdfast::command::v1::Bundle ours,
                                                  const ::holdfast::command::v1::Bundle& told);

}  // namespace holdfast::sdk
