package issuer

import (
	"crypto/x509"
	"errors"

	"go.uber.org/zap"
)

// outcome is what is known after an attempt to fetch the keys.
type outcome struct {
	status  Status
	current *keySet // that tokens are verified with; nil until the first
	seen    *keySet // that was fetched last, perhaps with other keys that are not usable
	changed bool    // whether this attempt brought other keys to verify with
}

// report writes a line when fetching begins to fail, when it works again, and when
// there are other keys, also such as are not usable.
func (k *Keys) report(before, now outcome) {
	if k.options.Logger == nil {
		return
	}
	log := k.options.Logger().With(zap.String("issuer", k.options.URL))
	if now.status.Err != nil {
		if before.status.Err == nil { // else it was said when it began
			reportFailure(log, before.current, now.status.Err)
		}
		return
	}
	set := now.seen
	if before.status.Err != nil && before.current != nil {
		log.Info("the keys of an outside issuer can be fetched again", zap.Int("keys", len(set.keys)))
	}
	if !now.changed && set.sameRefused(before.seen) {
		return
	}
	fields := []zap.Field{zap.Int("keys", len(set.keys)), zap.Strings("kids", set.ids())}
	if len(set.unusable) > 0 {
		fields = append(fields, zap.Strings("not_used", set.unusable))
	}
	switch {
	case before.current == nil:
		log.Info("fetched the keys of an outside issuer", fields...)
	case now.changed && set.isEmpty():
		log.Warn("an outside issuer has withdrawn its keys: its tokens are refused until it publishes a key that can verify them", fields...)
	default:
		log.Info("the keys of an outside issuer changed", fields...)
	}
	if set.hasOtherPrivate(before.seen) {
		log.Warn("an outside issuer publishes private keys, with which anyone can sign: it must replace these keys, which are not used here", zap.Strings("kids", shownIDs(set.private)))
	}
}

// reportFailure says what follows from the first failure after a success, or at the start.
func reportFailure(log *zap.Logger, before *keySet, err error) {
	if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); unknown {
		log = log.With(zap.String("advice", "if the issuer's certificate is from a private authority, name it with tls_trust_pool"))
	}
	switch {
	case before == nil:
		log.Error("cannot fetch the keys of an outside issuer: its tokens cannot be checked until this works", zap.Error(err))
	case before.isEmpty():
		log.Error("cannot fetch the keys of an outside issuer: it has withdrawn its keys, so its tokens stay refused until this works", zap.Error(err))
	default:
		log.Error("cannot fetch the keys of an outside issuer: the keys fetched before stay in use", zap.Error(err))
	}
}
