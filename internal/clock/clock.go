// Package clock tells the time of the server, and whether a deadline has passed.
package clock

import "time"

// Now is the time. Tests replace it.
var Now = time.Now
