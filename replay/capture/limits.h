// Every limit of the capture engine, with its reason. A capture is hostile input: what a peer can make grow has a bound here,
// what is cut by it is flagged, and each has a test. Times are capture time, never the clock of this machine.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rehearse::replay::limits {

// --- files ---

// No packet of a sane capture is longer: tcpdump's own MAXIMUM_SNAPLEN is 262,144; USB captures go higher, TCP does not.
inline constexpr std::uint32_t packet_bytes = 1u << 20;
// A pcapng block holds one packet and its options, or a key log; libpcap allows as much.
inline constexpr std::uint32_t block_bytes = 16u << 20;
// Interfaces of one pcapng section; each holds a few numbers.
inline constexpr std::size_t interfaces = 4096;
// Sentences about one file; a file of garbage blocks would write a book.
inline constexpr std::size_t notes = 100;
// A HAR document, which is held whole while its entries are read one by one, and one entry.
inline constexpr std::size_t document_bytes = 128u << 20;
inline constexpr std::size_t entry_bytes = 24u << 20;
// A key log; a line is 180 bytes.
inline constexpr std::size_t key_log_bytes = 256u << 20;
// Limits on the whole process are looked after, and finished exchanges put in order, each time that so many packets or bytes of
// them have been read: that makes both the same for any number of threads.
inline constexpr std::size_t settled_packets = 2048;
inline constexpr std::size_t settled_bytes = 2u << 20;

// --- TCP ---

// Segments that wait for a hole to be filled, a direction: more than the largest window that people configure.
inline constexpr std::size_t held_bytes = 4u << 20;
inline constexpr std::size_t held_segments = 4096;
// A hole that the peer has acknowledged past is lost when this many packets of the connection or this much time went by:
// captures of several queues or mirror ports write an acknowledgement before the data that it acknowledges.
inline constexpr std::int64_t reorder_packets = 64;
inline constexpr std::int64_t reorder_ns = 200'000'000;
// How far ahead of the stream a segment may lie: the largest window of RFC 7323 (1 GiB) is never used; this is.
inline constexpr std::int64_t window_bytes = 64ll << 20;
// Bytes before the first segment that was captured, when the SYN was not.
inline constexpr std::int64_t early_bytes = 64ll << 10;
// Segments outside the window, in a row, until they count as another connection on the same ports.
inline constexpr int strays = 3;
// A finished exchange waits this long for a retransmission that says something else; one that comes later is counted but cannot
// be told of the exchange any more. A race between an answer and a forged one is over within a round trip; waiting longer makes
// the memory that finished exchanges take outgrow the processor's caches.
inline constexpr std::int64_t settle_ns = 20'000'000;
// SYNs or SYN-ACKs with different numbers until an acknowledgement chooses one.
inline constexpr std::size_t handshakes = 4;
// Delivered segments whose digest is kept to compare a retransmission with, a direction.
inline constexpr std::size_t compared_segments = 16;
// A connection without a packet for this long has ended; one that both sides closed waits for late duplicates only.
inline constexpr std::int64_t idle_ns = 120'000'000'000;
inline constexpr std::int64_t closed_ns = 5'000'000'000;
// Connections at a time; the one that was silent longest is ended first.
inline constexpr std::size_t connections = 100'000;
// What all connections may hold together: segments, unfinished heads, bodies of open exchanges.
inline constexpr std::size_t total_bytes = 96u << 20;

// --- HTTP ---

// Longer heads are refused by every server in use (8 to 64 KiB).
inline constexpr std::size_t head_bytes = 64u << 10;
inline constexpr std::size_t header_fields = 1024;
// A chunk's size line, with extensions.
inline constexpr std::size_t chunk_line_bytes = 4096;
// Of a body as much is kept; the rest is counted and the exchange is flagged.
inline constexpr std::size_t body_bytes = 16u << 20;
// How many times larger than it was sent a body may become when its content coding is taken off: a few kilobytes can unpack to
// gigabytes. Up to `always_decoded_bytes` it may grow anyhow.
inline constexpr std::size_t expansion = 100;
inline constexpr std::size_t always_decoded_bytes = 1u << 20;
// Requests that wait for their answer on one connection.
inline constexpr std::size_t outstanding = 512;
// How often two sides have to take turns, or how long they have to rest, until a request that nobody saw cannot be waiting.
inline constexpr std::size_t alternations = 16;
inline constexpr std::int64_t rest_ns = 1'000'000'000;
// Interim answers (100, 103) of one exchange.
inline constexpr std::size_t interim = 16;
// Finished exchanges that wait for earlier ones, so that traffic is written in the order of its requests.
inline constexpr std::size_t ordering_bytes = 64u << 20;
// Protocols within protocols: a CONNECT within TLS within a CONNECT is seen in the field, more is a capture made to exhaust the
// stack.
inline constexpr int nesting = 4;
// Connections whose incomplete exchanges the certificate lists one by one.
inline constexpr std::size_t listed_connections = 1000;

// --- TLS ---

// Secrets of a key log: four a connection in TLS 1.3; 85 bytes each.
inline constexpr std::size_t secrets = 1'000'000;
inline constexpr std::size_t key_line_bytes = 1024;
// The content of a record (RFC 5246, section 6.2.3: 2^14 + 2048; RFC 8446, section 5.2: 2^14 + 256).
inline constexpr std::size_t record_bytes = (1u << 14) + 2048;
// A handshake message; certificates are the longest.
inline constexpr std::size_t handshake_bytes = 64u << 10;

// --- HTTP/2 ---

// Streams of one connection at a time; servers allow 100 to 1000.
inline constexpr std::size_t http2_streams = 4096;
// A frame; a receiver that allows more than the 16 KiB of the default is rare (RFC 9113, section 4.2).
inline constexpr std::size_t http2_frame_bytes = 1u << 20;
// A header block on the wire, the fields that it stands for (with the 32 bytes each of RFC 9113, section 6.5.2), and the frames
// that it may be cut into.
inline constexpr std::size_t http2_block_bytes = 100u << 10;
inline constexpr std::size_t http2_fields_bytes = 256u << 10;
inline constexpr int http2_continuations = 64;
// The dynamic table of one direction, whatever its receiver allows.
inline constexpr std::uint32_t http2_table_bytes = 64u << 10;
// Settings of one side that the other has not acknowledged.
inline constexpr std::size_t http2_settings = 64;
// Streams that were answered and wait for the rest of a request that the server no longer wants.
inline constexpr std::size_t http2_stopped = 16;
// One byte of a header block can stand for a field of `http2_table_bytes`. A connection may stand for this much more than for
// `http2_expansion` bytes each byte of its frames; requests with long tokens and nothing else come to 100.
inline constexpr std::int64_t http2_expansion_bytes = 16ll << 20;
inline constexpr std::int64_t http2_expansion = 256;
// Bytes by which HTTP/2 is recognised when its beginning was not captured.
inline constexpr std::size_t http2_sniffed_bytes = 4096;

}  // namespace rehearse::replay::limits
