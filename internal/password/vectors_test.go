package password

// Hashes that the programs below printed for these passwords: Apache's htpasswd 2.4
// (-nbB, -nbm, -nb2, -nb5, -nbs), caddy hash-password 2.11, openssl passwd 3, crypt(3)
// of libxcrypt, and Python's hashlib.
const (
	horse    = "correct horse"
	accented = "grüße 🐎"
	hundred  = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
)

var vectors = []struct {
	name     string
	hash     string
	password string
	params   string
	advice   bool
}{
	{"htpasswd -nbBC 4", "$2y$04$St0dYEQn2fj3ezD2o0mR0./TsMjC2s2s0nIbhQRKnIKWBOleQZoZW", horse, "bcrypt cost 4", true},
	{"htpasswd -nbB", "$2y$05$2QIuN4uWvMo26OyAzOvjeehvdZC7XzmVhoqnMeYyijvNlPQTPd.T6", horse, "bcrypt cost 5", true},
	{"htpasswd -nbBC 10", "$2y$10$AmZRNTcF5GQ7MOlqTWwol.uILyRSTOziZmNjrp4rk.sCz/bm/.f8q", horse, "bcrypt cost 10", false},
	{"htpasswd -nbBC 4 with a password that is not ASCII", "$2y$04$krHbieNO2qqvk8.pxdvQn.NSiWlT1grCYgaJUrZ9aok2R267L6bWq", accented, "bcrypt cost 4", true},
	{"htpasswd -nbBC 4 with the longest password", "$2y$04$0oW.wl6tQMYGi7CvaFd6MOMkmUFDnEeWDYPchVWMvIWcJSpWbSbe2", hundred[:72], "bcrypt cost 4", true},
	{"htpasswd -nbm", "$apr1$EJbRxYv/$GovNqYFAtSH/D34tg.MB/0", horse, "apr1 salt=8", true},
	{"htpasswd -nbm with a password that is not ASCII", "$apr1$0oJT48Vi$QoLyWypyKozXxMeuVdQ3m0", accented, "apr1 salt=8", true},
	{"htpasswd -nbm with a long password", "$apr1$U4G2negq$5hhUp/5WEpb78s1zzib76.", hundred, "apr1 salt=8", true},
	{"htpasswd -nb2", "$5$91BS4pdeduvOkEu9$GH3iKdaxnsvPi4aFNB9vMlTROOLdudctCuEIENrfug3", horse, "sha256-crypt rounds=5000,salt=16", false},
	{"htpasswd -nb2 -r 1000", "$5$rounds=1000$PuBixHkywIvHDCEI$owjZnlonw0CBq1tkwVqYdrmjpCZD46VqK0dtdJC5ac5", horse, "sha256-crypt rounds=1000,salt=16", false},
	{"htpasswd -nb2 -r 5000", "$5$rounds=5000$B39cLRIza1/xSTSe$zhMGzy6h8w7tXowWU9xa4tVPChLMjwSiYGHHbQYp9HB", horse, "sha256-crypt rounds=5000,salt=16", false},
	{"htpasswd -nb2 with a password that is not ASCII", "$5$i4RHClzUoGiTp/SH$mcPBwvidWy12BlsKCOlM7fg/8SYm6s5IdSniqsOigZ0", accented, "sha256-crypt rounds=5000,salt=16", false},
	{"htpasswd -nb2 with a long password", "$5$IyTc2OSjeadmyerZ$trI9yZUdBkEpWXBzISn7IHWkgCZqlNofgCSw1bJwHY3", hundred, "sha256-crypt rounds=5000,salt=16", false},
	{"htpasswd -nb5", "$6$l4TyF2Imsxukq9ej$0HMAZRtTToNePbHqDEgPC6wUL2OPa5Yh9/3xwhuGyo0xLwO5ZUAmFGCOBbIfVO6yhzcABSyIF0m9/SdbSEB3k1", horse, "sha512-crypt rounds=5000,salt=16", false},
	{"htpasswd -nb5 -r 1000", "$6$rounds=1000$HD4qNStGj2Mu8/Ue$Rr/XzoESWqqfPbX5gMQSdZrM0Zp2.FYT1HidW6TpEzjkw14R3LA2yJxk5unXdZmxKCBjMZUvDsEDkIBRbXWvY/", horse, "sha512-crypt rounds=1000,salt=16", false},
	{"htpasswd -nb5 with a password that is not ASCII", "$6$CaVdZRPU1EAH//wB$FxalRO6VwieGBaFTSYGC3ECrNKEMB159XxD5BrITaGeGFyeQqN/fSzLPmPa/x.MahCZL6HZSoPAN/w3uyMebR/", accented, "sha512-crypt rounds=5000,salt=16", false},
	{"htpasswd -nb5 with a long password", "$6$ETeJWka1L.tI4BSH$fJXLElY/Vi/Wi2sMQnCvgy05DlHn9BNIGRlf3Xlhnk3FjQgod4rmJsnPs3zafF/yZz9Qfbtlngg63D6HgAGyV0", hundred, "sha512-crypt rounds=5000,salt=16", false},
	{"htpasswd -nbs", "{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=", horse, "{SHA}", true},
	{"caddy hash-password --bcrypt-cost 4", "$2a$04$TPwEixaF2T4qRaAtIbjsreHIC59JZOyUNnC7c0qamjqporrAMcUnm", horse, "bcrypt cost 4", true},
	{"caddy hash-password --algorithm argon2id", "$argon2id$v=19$m=47104,t=1,p=1$V6/5/WjnduEpp6LW3yWaQA$pFqoM59syk7qfKfcp1TJXurfhEyoQnWBsm4Si89uiyI", horse, "argon2id m=47104,t=1,p=1", false},
	{"caddy hash-password --algorithm argon2id --argon2id-memory 64", "$argon2id$v=19$m=64,t=1,p=1$rJzGheU9/1ibeuchedrRKA$CQeq9cBdfo4eFqSx38SrkzFYHHpnPCZgWLwqe5clDos", horse, "argon2id m=64,t=1,p=1", false},
	{"openssl passwd -apr1", "$apr1$saltsalt$EGVZDNN6gOqijy.tv9axG/", horse, "apr1 salt=8", true},
	{"openssl passwd -5", "$5$saltsalt$myjXcpMpE2Ofk7fj9hqyNYSn6lmWG4Mqnjx.KIRRr4/", horse, "sha256-crypt rounds=5000,salt=8", false},
	{"openssl passwd -6", "$6$saltsalt$hRM5XZ86KXEw9UOmjigeVqFgULtFB2sgpC9lXQDfMib3Zgw7mEiUvBJI2EplzfAqxL5Vvwp2scFtv/uamSo5z0", horse, "sha512-crypt rounds=5000,salt=8", false},
	{"libxcrypt with a salt of one character", "$6$rounds=5000$s$ZdW4dNq9J8y3eJh70DyCvbc44bMlGpRZwoGUtVjumJmyWWGlGklvBv9nhS49TphOWurkUTpFq/7F4iQmIj6v10", horse, "sha512-crypt rounds=5000,salt=1", false},
	{"libxcrypt with rounds and a salt of four characters", "$5$rounds=1000$abcd$mbZPYERnF/H1VozuJfa5NGQVmjcyrdZx.u47Cx0EXE9", horse, "sha256-crypt rounds=1000,salt=4", false},
	{"openssl passwd -6 with rounds and a salt of fifteen", "$6$rounds=1000$abcdefghijklmno$RfY26tQ/XuejgcijXMgl3ZJGxaKQYnk/y34Fj7Z/50FFzcnxiitR10VwIEXHq4tqOah1TpxoiGE/VJocTlDIF1", horse, "sha512-crypt rounds=1000,salt=15", false},
	{"openssl passwd -apr1 with a salt of one character", "$apr1$x$PSNAB.vTkM7vBB0Kq4yHq0", horse, "apr1 salt=1", true},
	{"openssl passwd -1", "$1$abcdefgh$y6iHhJNbuC0xpbk0w9pm80", horse, "md5-crypt salt=8", true},
	{"mkpasswd -m yescrypt -R 1", "$y$j75$OYae5E6BcUK9Xjed51h3c1$v3fJ5wVH2WXICdso9Lz8zwKl9v1QNzjZmqW8b2BmrK2", horse, "yescrypt N=1024,r=8", false},
	{"mkpasswd -m yescrypt -R 5, its default", "$y$j9T$7odobFQJmmC/ADeZ1L2Fo.$mIMnVA.yY4OWTJXs9362kSygEP6Hn6aE1AKU740sJ8/", horse, "yescrypt N=4096,r=32", false},
	{"an LDAP server's {SSHA}", "{SSHA}NSZEu/ZzEMKdBO5ESNEYml3qKRYBAgMEBQYHCA==", horse, "{SSHA}", true},
}
