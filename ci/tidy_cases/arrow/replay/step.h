// Stands leftmost.
#pragma once
