// WhyOpen: in a sentence, why a delivery has not ended yet, and what happens next.
#pragma once

#include <string>

#include "holdfast/api/v1/api.pb.h"

namespace holdfast::cli {

// Of a delivery with `waiting`, as control told it.
std::string WhyOpen(const ::holdfast::api::v1::CommandSummary& job,
                    const ::holdfast::api::v1::Delivery& delivery);

}  // namespace holdfast::cli
