// LetGoOfProgramPages: takes this process's own program, code and constants, out of its address space.
//
// The pages stay in the page cache and come back with a minor fault each (16 at a time) when they are used
// again; until then they are nobody's, and the kernel may drop them before anything that is in use. An idle
// agent needs a tenth of its code; what a handshake or a command has touched would stay mapped for ever.
//
// Threading: any; what runs meanwhile faults its pages in again.
// Errors:    none: a kernel that refuses leaves things as they are.
#pragma once

namespace holdfast::agent {

void LetGoOfProgramPages();

}  // namespace holdfast::agent
