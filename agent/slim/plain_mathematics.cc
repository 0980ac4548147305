// asin, acos and atan2 of SQL, made of the one arctangent that is there anyway: the C library's own bring 47 KB of tables. As
// exact as 2 units in the last place; theirs have 1.
#include <cmath>
#include <limits>

namespace {

constexpr double kPi = 3.14159265358979311600;
constexpr double kPiRest = 1.2246467991473532e-16;  // what is missing of it in a double
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// Of a point that is neither on an axis nor infinitely far away; below the axis as above.
double AngleOf(double y, double x) {
  const double angle = std::atan(std::fabs(y / x));
  return std::signbit(x) ? kPi - (angle - kPiRest) : angle;
}

double AngleFarAway(double y, double x) {
  if (!std::isinf(x)) return kPi / 2;
  if (!std::isinf(y)) return std::signbit(x) ? kPi : 0;
  return std::signbit(x) ? 3 * (kPi / 4) : kPi / 4;
}

double AngleAbove(double y, double x) {
  if (y == 0) return std::signbit(x) ? kPi : 0;
  if (x == 0) return kPi / 2;
  return std::isinf(x) || std::isinf(y) ? AngleFarAway(y, x) : AngleOf(y, x);
}

}  // namespace

extern "C" {

double holdfast_atan2(double y, double x);
double holdfast_atan2(double y, double x) {
  if (std::isnan(x) || std::isnan(y)) return x + y;
  return std::copysign(AngleAbove(y, x), y);
}

double holdfast_asin(double x);
double holdfast_asin(double x) {
  if (!(std::fabs(x) <= 1)) return kNone;
  return holdfast_atan2(x, std::sqrt((1 - x) * (1 + x)));
}

double holdfast_acos(double x);
double holdfast_acos(double x) {
  if (!(std::fabs(x) <= 1)) return kNone;
  return 2 * holdfast_atan2(std::sqrt(1 - x), std::sqrt(1 + x));
}

}  // extern "C"
