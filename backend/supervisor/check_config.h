// CheckConfig: what can be known about a configuration before anything is started.
#pragma once

#include "backend/core/config.h"
#include "common/base/result.h"

namespace holdfast::backend {

// The files that it names are there and good for their purpose: policy, certificate, key, CA, users.
Status CheckConfig(const Config& config);
// Before a start: no control has the record in PostgreSQL open. Waits two seconds for one that is ending.
Status CheckStoreIsFree(const Config& config);
// Who the processes are to Redis: drawn for the embedded one, and what redis.users says.
Result<RedisUsers> LoadRedisUsers(const Config& config);

}  // namespace holdfast::backend
