// The answers of each kind of verb.
#pragma once

#include <memory>

#include "backend/cli/answers.h"

namespace holdfast::cli {

std::unique_ptr<Answers> MakeRowAnswers(const Call& call, const Job& job);   // query ls stat ...
std::unique_ptr<Answers> MakeExecAnswers(const Call& call, const Job& job);  // exec
std::unique_ptr<Answers> MakeCatAnswers(const Call& call, const Job& job);   // cat
std::unique_ptr<Answers> MakeGetAnswers(const Call& call, const Job& job);   // get
std::unique_ptr<Answers> MakeLiveAnswers(const Call& call, const Job& job);  // capture -o -
std::unique_ptr<Answers> MakeCollectAnswers(const Call& call, const Job& job);
std::unique_ptr<Answers> MakeEstimateAnswers(const Call& call, const Job& job);  // of a collection
std::unique_ptr<Answers> MakePlainAnswers(const Call& call, const Job& job);     // put cancel

}  // namespace holdfast::cli
