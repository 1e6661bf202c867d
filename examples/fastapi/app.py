"""An app behind the edge, which takes the user from the edge's header.

It must be reachable through the edge only: whoever gets to it directly can write
X-User themselves.
"""

from fastapi import Depends, FastAPI, Header
from fastapi.security import OAuth2PasswordBearer

# This is what gives /docs its Authorize button. The edge has checked the token and
# keeps it, so auto_error is off: the app need not insist on one.
edge = OAuth2PasswordBearer(tokenUrl="/token", auto_error=False)


# not in the schema, or /docs would ask for it
def user(x_user: str = Header(include_in_schema=False)) -> str:
    return x_user


app = FastAPI(dependencies=[Depends(edge)])


@app.get("/me")
def me(name: str = Depends(user)):
    return {"user": name}
