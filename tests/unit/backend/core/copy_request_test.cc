#include "backend/core/copy_request.h"

#include <gtest/gtest.h>

namespace holdfast::backend {
namespace {

TEST(CopyRequestTest, TheAnswerToARequestReachesWhoAsked) {
  CopyRequest request;
  const std::string asked = request.Begin(7);
  EXPECT_EQ(request.client(), 7U);
  EXPECT_EQ(request.Take(AnswerCopy(asked, "- staged /state/backup")), "- staged /state/backup");
}

TEST(CopyRequestTest, AnAnswerToARequestThatWasGivenUpBelongsToNobody) {
  CopyRequest request;
  const std::string given_up = request.Begin(1);
  request.End();
  EXPECT_EQ(request.Take(AnswerCopy(given_up, "- staged /state/backup")), std::nullopt);
  const std::string next = request.Begin(12);
  EXPECT_EQ(request.Take(AnswerCopy(given_up, "- staged /state/backup")), std::nullopt);
  EXPECT_EQ(request.Take(AnswerCopy(given_up, "1 no room")), std::nullopt);
  EXPECT_EQ(request.Take(AnswerCopy(next, "1 no room")), "1 no room");
}

TEST(CopyRequestTest, WhatIsNoAnswerBelongsToNobody) {
  CopyRequest request;
  static_cast<void>(request.Begin(1));
  for (const std::string_view payload :
       {"", "1", "- staged /state/backup", "12 - staged /state/backup"}) {
    EXPECT_EQ(request.Take(payload), std::nullopt) << payload;
  }
}

}  // namespace
}  // namespace holdfast::backend
