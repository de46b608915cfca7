import { render } from "preact";
import { Api } from "../shared/api";
import { Gate, type Session } from "../shared/gate";
import "./desk.css";

const api = new Api();

function Desk({ session }: { session: Session }) {
  return (
    <main>
      <h1>Desk</h1>
      <p>{session.person?.name ?? api.base.href}</p>
      {session.signOut && (
        <button type="button" onClick={session.signOut}>
          Sign out
        </button>
      )}
    </main>
  );
}

const page = document.getElementById("page") as HTMLElement;
render(<Gate api={api}>{(session) => <Desk session={session} />}</Gate>, page);
