package nodes

import (
	"flag"
	"os"
	"testing"
)

// TestMain lets more tests run side by side than there are cores: what most of them do
// is to wait for processes of their own, such as for 20 seconds between two looks at
// the keys.
func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		if err := flag.Set("test.parallel", "4"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
