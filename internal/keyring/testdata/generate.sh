#!/bin/sh
# Writes the PEM files beside it anew with the real openssl (3.x). They are for tests only and protect nothing.
set -eu
cd "$(dirname "$0")"
openssl genrsa -traditional -out rsa-pkcs1.pem 2048
openssl pkcs8 -topk8 -nocrypt -in rsa-pkcs1.pem -out rsa-pkcs8.pem
openssl rsa -in rsa-pkcs1.pem -text -traditional -out rsa-text-before.pem
openssl genrsa -traditional -aes128 -passout pass:test -out rsa-pkcs1-encrypted.pem 2048
openssl genrsa -out rsa-1024.pem 1024
openssl rsa -in rsa-pkcs1.pem -pubout -out rsa-public.pem
openssl rsa -in rsa-pkcs1.pem -RSAPublicKey_out -out rsa-public-pkcs1.pem
openssl req -x509 -key rsa-pkcs1.pem -subj /CN=test -days 3650 -out certificate.pem
openssl ecparam -name prime256v1 -genkey -out ec-p256-sec1-parameters.pem
openssl ecparam -name prime256v1 -genkey -noout -out ec-p256-sec1.pem
openssl ecparam -name secp384r1 -genkey -noout -out ec-p384-sec1.pem
openssl ecparam -name secp521r1 -genkey -out ec-p521-sec1-parameters.pem
openssl ecparam -name prime256v1 -out ec-parameters-only.pem
openssl ecparam -name secp224r1 -genkey -noout -out ec-p224-sec1.pem
openssl ecparam -name secp256k1 -genkey -noout -out ec-secp256k1-sec1.pem
openssl pkcs8 -topk8 -nocrypt -in ec-p256-sec1.pem -out ec-p256-pkcs8.pem
openssl pkcs8 -topk8 -nocrypt -in ec-p521-sec1-parameters.pem -out ec-p521-pkcs8.pem
openssl genpkey -algorithm ed25519 -out ed25519-pkcs8.pem
openssl genpkey -algorithm ed25519 -aes256 -pass pass:test -out ed25519-encrypted.pem
openssl pkey -in ed25519-pkcs8.pem -pubout -out ed25519-public.pem
openssl pkey -in ed25519-pkcs8.pem -outform DER -out ed25519-pkcs8.der
openssl genpkey -algorithm x25519 -out x25519-pkcs8.pem
openssl genpkey -algorithm ed448 -out ed448-pkcs8.pem
