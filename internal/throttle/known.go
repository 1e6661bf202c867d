package throttle

import (
	"container/list"
	"iter"
	"slices"
)

// known holds the known good sources of accounts: those from which an attempt has
// succeeded. Only a success adds a source, so only successes can displace one: the
// oldest of an account that has perAccount already, since the owner of one account with
// many addresses must not displace the sources of others, and the oldest of the account
// that has been without success for the longest time when there are capacity in total.
// Sources with attempts in flight are never displaced, even if there are more for as
// long as they are.
type known struct {
	capacity   int
	perAccount int
	accounts   map[digest]*list.Element // of *knownAccount
	order      *list.List               // the same, the last success first at the back
	sources    int
}

// knownAccount has at least one source.
type knownAccount struct {
	account digest
	sources []source // in the order of their last successes
}

// source counts the failures of an account and one source, which then are not in the
// table of the pairs.
type source struct {
	pair    digest
	address tag // zero for a party or an unknown address
	counter
	consecutive uint32 // failures since the last success; time does not remove them
}

func newKnown(capacity, perAccount int) *known {
	return &known{
		capacity: capacity, perAccount: perAccount,
		accounts: make(map[digest]*list.Element), order: list.New(),
	}
}

// find returns a known good source, nil if it is not one. It is valid until the next
// call of add or remove.
func (k *known) find(account, pair digest) *source {
	if element := k.accounts[account]; element != nil {
		a := element.Value.(*knownAccount)
		if i := a.index(pair); i >= 0 {
			return &a.sources[i]
		}
	}
	return nil
}

func (a *knownAccount) index(pair digest) int {
	return slices.IndexFunc(a.sources, func(s source) bool { return s.pair == pair })
}

// of are the sources of an account.
func (k *known) of(account digest) iter.Seq[*source] {
	return func(yield func(*source) bool) {
		if element := k.accounts[account]; element != nil {
			element.Value.(*knownAccount).each(yield)
		}
	}
}

// all are the sources of all accounts.
func (k *known) all(yield func(*source) bool) {
	for a := range k.allAccounts {
		if !a.each(yield) {
			return
		}
	}
}

// allAccounts are all accounts that have any.
func (k *known) allAccounts(yield func(*knownAccount) bool) {
	for element := k.order.Front(); element != nil; element = element.Next() {
		if !yield(element.Value.(*knownAccount)) {
			return
		}
	}
}

func (a *knownAccount) each(yield func(*source) bool) (more bool) {
	for i := range a.sources {
		if !yield(&a.sources[i]) {
			return false
		}
	}
	return true
}

// add makes a source known good, with a counter that has no failures.
func (k *known) add(account, pair digest, address tag, c counter) {
	s := source{pair: pair, address: address, counter: c}
	element := k.accounts[account]
	if element != nil {
		a := element.Value.(*knownAccount)
		if i := a.index(pair); i >= 0 { // it becomes the latest
			k.order.MoveToBack(element)
			a.sources = append(slices.Delete(a.sources, i, i+1), s)
			return
		}
	}
	if element == nil {
		element = k.order.PushBack(&knownAccount{account: account})
		k.accounts[account] = element
	}
	k.order.MoveToBack(element)
	a := element.Value.(*knownAccount)
	for len(a.sources) >= k.perAccount && k.displace(a) {
	}
	for e := k.order.Front(); e != nil && k.sources >= k.capacity; {
		if k.displace(e.Value.(*knownAccount)) {
			e = k.order.Front()
		} else {
			e = e.Next() // it has nothing but attempts in flight; there are not many
		}
	}
	if k.accounts[account] == nil { // its last source was displaced
		k.accounts[account] = k.order.PushBack(a)
	}
	a.sources = append(a.sources, s)
	k.sources++
}

// displace removes the oldest source of an account without attempts in flight, and says
// whether there was one.
func (k *known) displace(a *knownAccount) bool {
	i := slices.IndexFunc(a.sources, func(s source) bool { return s.inFlight == 0 })
	if i >= 0 {
		k.removeAt(a, i)
	}
	return i >= 0
}

// remove takes a source out, if it is there.
func (k *known) remove(account, pair digest) {
	if element := k.accounts[account]; element != nil {
		a := element.Value.(*knownAccount)
		if i := a.index(pair); i >= 0 {
			k.removeAt(a, i)
		}
	}
}

func (k *known) removeAt(a *knownAccount, i int) {
	a.sources = slices.Delete(a.sources, i, i+1)
	k.sources--
	if len(a.sources) == 0 {
		k.order.Remove(k.accounts[a.account])
		delete(k.accounts, a.account)
	}
}
