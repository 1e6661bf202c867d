// Package directorytest is the suite that a source of users or clients has to pass,
// whatever it is made of. A module that has one calls [TestUsers] or [TestClients] in a
// test of its own, best with the race detector:
//
//	func TestUsers(t *testing.T) {
//		directorytest.TestUsers(t, directorytest.Users{
//			Source: func(t *testing.T, users ...directory.User) directory.Users {
//				db := newDatabase(t)
//				insert(t, db, users...)
//				return &Users{db: db}
//			},
//		})
//	}
package directorytest
