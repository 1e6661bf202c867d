"""The same app, which verifies the token itself, with PyJWT and cryptography.

The edge has to leave it the token: forward_token in bearer_auth.
"""

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer

ISSUER = "http://localhost:8080"
keys = jwt.PyJWKClient(ISSUER + "/token/jwks")
bearer = OAuth2PasswordBearer(tokenUrl="/token")
challenge = {"WWW-Authenticate": "Bearer"}


def user(token: str = Depends(bearer)) -> str:
    try:
        claims = jwt.decode(
            token,
            keys.get_signing_key_from_jwt(token).key,
            algorithms=["ES256"],  # never what the token says
            issuer=ISSUER,
            audience=ISSUER,
            leeway=60,  # for clocks that differ
            options={"require": ["exp", "iss", "aud", "sub"]},
        )
    except jwt.PyJWTError as error:
        raise HTTPException(401, "invalid token", challenge) from error
    return claims["sub"]


app = FastAPI()


@app.get("/me")
def me(name: str = Depends(user)):
    return {"user": name}
