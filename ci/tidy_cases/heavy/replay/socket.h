// Drags a network library into every file that includes it.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/url/url.hpp>
#include <pqxx/pqxx>

#include <sqlite3.h>
