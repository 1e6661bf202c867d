package command

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/caddygrant/caddy-grant/internal/password"
)

// exampleHash stands for a hash until there is one, in an edit that is only tried.
const exampleHash = "$2a$04$ed8IqXwtgreEpivswSJnkuEzxjfWqAijxnCI.1FDAQe2PAIBWBD7O"

// addHashFlags adds the flags that say how a password is hashed.
func addHashFlags(cmd *cobra.Command) {
	cmd.Flags().String("algorithm", "argon2id", "how to hash the password: argon2id or bcrypt")
	cmd.Flags().Int("bcrypt-cost", 12, "the cost, with --algorithm bcrypt, from 10 to 16")
	_ = cmd.RegisterFlagCompletionFunc("algorithm", cobra.FixedCompletions([]cobra.Completion{"argon2id", "bcrypt"}, cobra.ShellCompDirectiveNoFileComp))
}

// newPasswordHash asks for a password, and hashes it as the flags say.
func newPasswordHash(cmd *cobra.Command, name string) (string, error) {
	hash, err := hasher(cmd)
	if err != nil {
		return "", err
	}
	password, err := newPassword(cmd, name)
	if err != nil {
		return "", err
	}
	hashed, err := hash(password)
	if err != nil {
		return "", err
	}
	warnOfPassword(cmd, name, password)
	return hashed, nil
}

func hasher(cmd *cobra.Command) (func(string) (string, error), error) {
	cost, err := cmd.Flags().GetInt("bcrypt-cost")
	if err != nil {
		return nil, err
	}
	if cost < 10 || cost > 16 {
		return nil, fmt.Errorf("--bcrypt-cost %d: it must be from 10 to 16", cost)
	}
	switch algorithm, err := cmd.Flags().GetString("algorithm"); {
	case err != nil:
		return nil, err
	case algorithm != "bcrypt" && cmd.Flags().Changed("bcrypt-cost"):
		return nil, errNotBcrypt
	case algorithm == "argon2id":
		return password.MakeArgon2id, nil
	case algorithm == "bcrypt":
		return func(text string) (string, error) { return password.MakeBcrypt(text, cost) }, nil
	default:
		return nil, fmt.Errorf("--algorithm %s: it must be argon2id or bcrypt", algorithm)
	}
}

// errNotBcrypt is for a cost that would have no effect. It does not imply bcrypt, which
// is the weaker choice.
var errNotBcrypt = errors.New("--bcrypt-cost is for --algorithm bcrypt: give both, or neither")

// withAdvice adds what to do to an error of a kind.
func withAdvice(err, kind error, advice string) error {
	if errors.Is(err, kind) {
		return fmt.Errorf("%w; %s", err, advice)
	}
	return err
}
