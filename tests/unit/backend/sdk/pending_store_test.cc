#include "backend/sdk/pending_store.h"

#include <gtest/gtest.h>

namespace holdfast::sdk {
namespace {

namespace api = ::holdfast::api::v1;

bool Doubtful(api::ApiCode code) {
  api::ServerMessage answer;
  answer.mutable_error()->set_code(code);
  return LeavesInDoubt(answer);
}

TEST(PendingStoreTest, AStoreThatCannotWriteLeavesTheCommandInDoubt) {
  EXPECT_TRUE(Doubtful(api::API_CODE_UNAVAILABLE));
}

TEST(PendingStoreTest, AnAcceptedOrRefusedCommandIsNotInDoubt) {
  api::ServerMessage accepted;
  accepted.mutable_submitted();
  EXPECT_FALSE(LeavesInDoubt(accepted));
  EXPECT_FALSE(Doubtful(api::API_CODE_DENIED));
  EXPECT_FALSE(Doubtful(api::API_CODE_QUEUE_FULL));
}

}  // namespace
}  // namespace holdfast::sdk
