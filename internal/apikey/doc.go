// Package apikey knows the API keys of a server: long random secrets that scripts send
// in place of a token. It makes keys, tells them from tokens, reads the files that list
// them by their hashes ([ParseJSON], [ParseLines]), and says who sends one ([Identity]).
//
// A key is random, 256 bits, so one SHA-256 of it is all the hash that it needs: there
// is nothing to guess, and a salt or a slow hash would protect nothing. A look-up by the
// hash compares no secret byte by byte either.
//
// No error of this package holds a key, a hash, or a piece of one.
package apikey
