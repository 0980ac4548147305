#1700000000
ls -la
plain ÿ[2J
#notatime
#1700000001
