import { render } from "preact";
import { Api } from "../shared/api";
import "./book.css";

const api = new Api();

function Book() {
  return (
    <main>
      <h1>Book an appointment</h1>
      <p>{api.base.href}</p>
    </main>
  );
}

render(<Book />, document.getElementById("page") as HTMLElement);
