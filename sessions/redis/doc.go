// Package redis keeps the sessions of caddy-grant in Redis or Valkey: the Caddy module
// grant.sessions.redis. It is in a Go module of its own, so that a Caddy without it has
// no client of Redis in it.
//
// # What lies where
//
// The sessions of a server are in 1,024 buckets, by the first bits of their random part.
// With a cluster each bucket is a hash slot of its own, so that one script sees all that
// there is of a session:
//
//	{caddy-grant:default/2af}                    the bucket, a hash:
//	    e<epoch>        this bucket has lost nothing since that epoch began
//	    d<day><epoch>   there are records of sessions that end on that day
//	    over            the last day whose sessions were swept
//	{caddy-grant:default/2af}:20261231<epoch>    its records, a hash by the random part:
//	    <generation>:<answer>:<time in ms>:<0, 1 if revoked, 2 if the feed has it too>
//	{caddy-grant:default}                        the root, a hash:
//	    epoch, claim    the epoch of new sessions, and who made it
//	    runs            the processes whose memory is trusted, where there is no AOF
//	    feed, count, trimmed   the name of the feed, its length, and what it began after
//	{caddy-grant:default}:feed                   the feed, a stream
//
// Records expire by the clock of Redis a week after the day on which their sessions end.
// The bucket keeps the day, so that sessions whose records have gone stay over, even if
// the clock is set back. What is revoked when it is over by that clock, which may be ahead,
// is kept for a week more. Without the bucket's epoch nothing is answered.
//
// # Epochs
//
// An epoch is written to all buckets before it is used, by one node, once: no command
// that writes one is repeated, and each attempt has a new one. So a bucket that has an
// epoch has everything that was acknowledged in it. A shard that has lost its data gets
// a new epoch in its buckets, when the engine is opened again. The other buckets get it
// too, and keep those that they have: only the sessions in lost buckets end. If the root
// was lost, or a process without an append-only file has ended, all sessions end.
package redis
