import { render } from "preact";
import { Api } from "../shared/api";
import { Gate } from "../shared/gate";
import { Desk } from "./app";
import "./desk.css";

const api = new Api();
const page = document.getElementById("page") as HTMLElement;
render(<Gate api={api}>{(session) => <Desk api={api} session={session} />}</Gate>, page);
