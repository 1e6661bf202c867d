// Package sharedfailures lets the nodes of a server see what each other has counted in
// its throttle, so that the limits hold for the server and not for each node.
//
// Each node keeps one object in Caddy's storage, wherever the sessions are, with its
// own failures and no other node's: at most [throttle.MaxCounts] of each kind, however
// many names strangers type. The object is written when there is something new in it,
// at most once in PublishEvery, and has a new name each time: a list of the folder
// tells what has changed, and a server at which nothing fails is one list in ReadEvery.
//
// A storage that is down leaves each node to itself and to what it has read. A read
// that finds nothing forgives nothing: what another node has told counts until that
// node tells something else, or for AgesOut. By then its object is removed. So the
// failures that a node has counted outlive it.
//
// What fits into the delay: a node lets attempts pass that it would refuse if it knew
// what others have counted since. With a limit of n failures, m nodes count at most n
// and what each but one of them lets pass until it has heard of the others.
package sharedfailures
