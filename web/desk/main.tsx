import { render } from "preact";
import { Api } from "../shared/api";
import "./desk.css";

const api = new Api();

function Desk() {
  return (
    <main>
      <h1>Desk</h1>
      <p>{api.base.href}</p>
    </main>
  );
}

render(<Desk />, document.getElementById("page") as HTMLElement);
