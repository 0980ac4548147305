SELECT "a'b" /* x */ -- y
