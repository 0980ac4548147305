// Moment: one reading of both clocks, handed to the cores with each input.
#pragma once

#include "common/base/time.h"

namespace holdfast::agent {

struct Moment {
  TimePoint now{};   // decides
  WallTime wall{0};  // is signed, compared with what was signed, and shown
};

}  // namespace holdfast::agent
